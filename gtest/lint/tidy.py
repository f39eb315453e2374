"""Runs clang-tidy over the sources of one directory, each once, as many at a time as there are processors.

    tidy.py CLANG_TIDY BUILD_DIR DIRECTORY

A source that several targets compile is checked as the first of them compiles it, but without the precompiled header,
which is for another compiler: so a source must include what it uses.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

clang_tidy, build_dir, directory = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
commands = {}
for command in json.loads((build_dir / "compile_commands.json").read_text(encoding="utf-8")):
    if directory in pathlib.Path(command["file"]).parents:
        command["command"] = re.sub(r"-include \S+/cmake_pch\.hxx ", "", command["command"])
        commands.setdefault(command["file"], command)
if not commands:
    sys.exit(f"{directory}: the build compiles none of its files")

with tempfile.TemporaryDirectory() as database, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    pathlib.Path(database, "compile_commands.json").write_text(json.dumps(list(commands.values())), encoding="utf-8")

    def check(file):
        return subprocess.run([clang_tidy, "--quiet", "-p", database, file],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    failures = [run for run in pool.map(check, sorted(commands)) if run.returncode]
for run in failures:
    print(run.stdout)
print(f"{directory}: {len(commands)} files, {len(failures)} with findings")
sys.exit(1 if failures else 0)
