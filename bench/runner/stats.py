"""What can be said of a few repetitions of a measurement: medians with bootstrap confidence intervals, and judgements
that claim no more than the intervals do."""

import functools
import random
import statistics
from collections import namedtuple

CONFIDENCE = 0.95  # of a single interval
PAIR_CONFIDENCE = 0.99  # where one wrong claim among many workloads stops a change
RESAMPLES = 1000
NOISY = 0.1  # an interval that reaches further than this part of the median to each side says little
NOISY_SHARE = 0.25  # of the workloads: with more of them noisy, or undecided, the whole run is

Estimate = namedtuple("Estimate", "median low high")


@functools.cache
def resampled_medians(values):
    """Medians of as many values drawn with replacement. The same for the same values, whenever it is asked for."""
    draw = random.Random(repr(values))
    return [statistics.median(draw.choices(values, k=len(values))) for _ in range(RESAMPLES)]


def interval(distribution, confidence):
    """What is left between equal tails."""
    ordered = sorted(distribution)
    tail = round((1 - confidence) / 2 * (len(ordered) - 1))
    return ordered[tail], ordered[-1 - tail]


def estimate(values, confidence=CONFIDENCE):
    return Estimate(statistics.median(values), *interval(resampled_medians(tuple(values)), confidence))


def estimate_ratio(values, references):
    """Of the medians. The two are resampled independently of each other."""
    distribution = [ours / theirs for ours, theirs in
                    zip(resampled_medians(tuple(values)), resampled_medians((*references,)), strict=True)]
    return Estimate(statistics.median(values) / statistics.median(references), *interval(distribution, CONFIDENCE))


def attainable_confidence(repetitions):
    """That of the whole range of so many values as an interval of the median: there is no wider one."""
    return 1 - 2 ** (1 - repetitions)


def noise(value):
    """How far the interval reaches to each side, as a part of the median."""
    return (value.high - value.low) / 2 / value.median if value.median else 0.0


def compare(ratio):
    """What a ratio of times to another allocator's shows: "faster", "slower", or "even", no clear difference."""
    return "faster" if ratio.high < 1 else "slower" if ratio.low > 1 else "even"


def judge(ratio, threshold):
    """Whether a change of more than `threshold` (0.05: five percent) is shown, or ruled out, or neither."""
    limit = 1 + threshold
    if ratio.low > limit:
        return "slower"
    if ratio.high < 1 / limit:
        return "faster"
    if 1 / limit <= ratio.low and ratio.high <= limit:
        return "no difference"
    return "undecided"


def too_many(part, whole):
    return part > NOISY_SHARE * whole
