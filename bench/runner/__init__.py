"""The parts of run.py.

names     what a benchmark's name says
measure   runs the executables, interleaved
machine   where, with what and of which commit
stats     medians with confidence intervals, and what they show
results   from Google Benchmark's entries to what the reports are made of
report    Markdown, and what CI dashboards read
pairs     two builds of this library
history   results over commits
page      the dashboard"""
