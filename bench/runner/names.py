"""What a benchmark's name says. Google Benchmark writes name/argument/.../threads:n."""

import re
from collections import namedtuple

# name      the workload: the benchmark's name without how Google Benchmark repeats and times it
# group     its first part: what belongs together
# threads   how many threads, 1 where the name does not say
# family    the name without threads
# parameter its last numeric argument as (label, value), or None; the label is empty where the argument has no name
# series    the family with the parameter's value left open: workloads that differ only in that value
Workload = namedtuple("Workload", "name group threads family parameter series")

HOW_IT_IS_RUN = re.compile(r"/(iterations:\d+|repeats:\d+|min_time:[\d.]+|real_time|process_time|manual_time)")
ARGUMENT = re.compile(r"(?:(\w+):)?(\d+)")


def workload_name(benchmark):
    return HOW_IT_IS_RUN.sub("", benchmark)


def parse(benchmark):
    name = workload_name(benchmark)
    parts, threads = name.split("/"), 1
    if parts[-1].startswith("threads:"):
        threads = int(parts.pop().partition(":")[2])
    family, parameter = "/".join(parts), None
    for i in range(len(parts) - 1, 0, -1):
        if argument := ARGUMENT.fullmatch(parts[i]):
            parameter = (argument[1] or "", int(argument[2]))
            parts[i] = f"{argument[1]}:*" if argument[1] else "*"
            break
    return Workload(name, parts[0], threads, family, parameter, "/".join(parts))
