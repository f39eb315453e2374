"""Prints how each failed test ended, and the last lines of what it wrote.

    failed_tests.py NAME=RESULTS...

RESULTS is a JUnit file of ctest's, NAME what stands before its tests' names. Of many that fail the first ones are shown:
the rest often fails for the same reason.
"""
import sys
import xml.etree.ElementTree

SHOWN, LINES, WIDTH = 10, 30, 300

for argument in sys.argv[1:]:
    name, results = argument.split("=", 1)
    failures = [test for test in xml.etree.ElementTree.parse(results).iter("testcase") if test.find("failure") is not None]
    for test in failures[:SHOWN]:
        print(f"\n-- {name}: {test.get('name')}", test.find("failure").get("message"))
        for line in test.findtext("system-out", "").splitlines()[-LINES:]:
            print(line[:WIDTH])
    if len(failures) > SHOWN:
        print(f"\n-- {name}: and {len(failures) - SHOWN} more")
