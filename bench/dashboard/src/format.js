// Numbers as people read them.

const digits = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

function withUnit(value, units) {
    const [unit, size] = units.find(([, least]) => value >= least) ?? units[units.length - 1];
    return `${digits(value / size)} ${unit}`;
}

const timeUnits = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];
const byteUnits = [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]];
const rateUnits = [["G/s", 1e9], ["M/s", 1e6], ["k/s", 1e3], ["/s", 1]];

export const time = (nanoseconds) => withUnit(nanoseconds, timeUnits);
export const bytes = (value) => withUnit(value, byteUnits);
export const rate = (perSecond) => withUnit(perSecond, rateUnits);
export const ratio = (value) => value.toFixed(2);
export const percent = (value) => `${Math.round(value * 100)} %`;

// The interval of an estimate [median, low, high].
export const range = ([, low, high], format) => `${format(low)} to ${format(high)}`;

// On an axis: no digits that say nothing.
export const short = (format) => (value) => format(value).replace(/\.0+(?= |$)|(\.\d*?)0+(?= |$)/, "$1");

// Counts that are round in either system, as arguments of workloads mostly are.
export function count(value) {
    for (const [suffix, size] of [["M", 1e6], ["k", 1e3], ["Gi", 2 ** 30], ["Mi", 2 ** 20], ["Ki", 2 ** 10]])
        if (value >= size && value % size === 0)
            return `${value / size}${suffix}`;
    return String(value);
}

// A workload's name, shortened for an axis: churn/4000000/threads:1 is churn/4M, and with threads:2, churn/4M, 2 threads.
export function label(workload, prefix = "") {
    const name = workload.family.replace(/\d{4,}/g, (number) => count(Number(number)));
    const rest = prefix && name.startsWith(`${prefix}/`) ? name.slice(prefix.length + 1) : name;
    return workload.threads > 1 ? `${rest}, ${workload.threads} threads` : rest;
}

// Counters are bytes, but for those whose names say that they count something, or that they are nanoseconds.
const isTime = (name) => /time$/.test(name);
export const isBytes = (name) => !/(faults|count)$/.test(name) && !isTime(name);
export const counter = (name, value) => (isBytes(name) ? bytes(value) : isTime(name) ? time(value)
    : Math.round(value).toLocaleString("en"));
export const counterTitle = (name) => name.replaceAll("_", " ");
