"""What is done with each program: mostly what the tests do with it, see gtest/programs. Inputs are made before anything
is measured."""

import pathlib
from collections import namedtuple

from measured import Failed, find, resident

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "gtest" / "programs"


def python3(run):
    """Without the interpreter's own allocator, which would take what is small."""
    run.command("python3", "-B", "-c", f"import work; print(work.texts(0, {run.scaled(6000)}), "
                f"work.objects(0, {run.scaled(120000)}), work.tree({run.scaled(50000)}), "
                f"work.database({run.scaled(50000)}))",
                variables={"PYTHONPATH": str(SCRIPTS), "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


def perl(run):
    run.command("perl", SCRIPTS / "work.pl", variables={"PERL_HASH_SEED": "0"})


def node(run):
    run.command("node", SCRIPTS / "work.js")


def sqlite3(run):
    run.command("sqlite3", "-batch", ":memory:", "PRAGMA temp_store = MEMORY", ".parameter init",
                f".parameter set :items {run.scaled(120000)}", f".read {SCRIPTS / 'work.sql'}")
    run.note((run.directory / "copy.db").read_bytes())


def gcc(run):
    """A source of 170 lines, and all that it includes; next to nothing in a test. The compiler proper is a child of the
    command."""
    source = run.directory / "source.cpp"
    source.write_text((SCRIPTS / "thread_pool.cpp").read_text(encoding="utf-8") if run.scale == 1 else "int i;\n",
                      encoding="utf-8")
    run.command("g++", "-std=c++17", "-O2", "-c", "source.cpp")
    run.note((run.directory / "source.o").read_bytes())


def redis(run):
    """The server's cost alone. Which keys are random differs from run to run, how many requests there are does not."""
    requests = str(run.scaled(50000))

    def ask(*command):
        return run.client("redis-cli", "-s", "socket", *command)

    with run.server("redis-server", "--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no",
                    "--activedefrag", "no", listens="socket") as server:
        with run.timed():
            for size in ("20", "200", "2000"):
                run.client("redis-benchmark", "-s", "socket", "-q", "-P", "16", "-n", requests, "-r", requests,
                           "-d", size, "-t", "set,lpush,hset,sadd,zadd")
                ask("UNLINK", "mylist")
        run.counters["rss"] = resident(server)
        calls = [line.split(",")[0] for line in ask("INFO", "commandstats").splitlines() if "calls=" in line]
        run.note(sorted(call for call in calls if "|" not in call and "info" not in call))
        if "cmdstat_set" not in str(calls):
            raise Failed("redis-benchmark set nothing")
        ask("FLUSHALL", "SYNC")
        run.counters["final_rss"] = resident(server)


Workload = namedtuple("Workload", "work needs")
WORKLOADS = {
    "program/python3": Workload(python3, ["python3"]),
    "program/perl": Workload(perl, ["perl", "shasum"]),
    "program/node": Workload(node, ["node"]),
    "program/sqlite3": Workload(sqlite3, ["sqlite3"]),
    "program/redis": Workload(redis, ["redis-server", "redis-benchmark", "redis-cli"]),
    "program/gcc": Workload(gcc, ["g++"]),
}


def missing(name):
    """The programs that it needs and that are not installed."""
    return [program for program in WORKLOADS[name].needs if not find(program)]
