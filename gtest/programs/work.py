"""Work of many kinds for an interpreter: objects that live and die, also in other threads and processes."""
import collections
import concurrent.futures
import decimal
import hashlib
import json
import multiprocessing
import random
import re
import sqlite3
import subprocess
import sys
import threading
import xml.etree.ElementTree
import zlib


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def records(seed, count):
    chance = random.Random(seed)
    return [{"id": number, "name": f"record {chance.randrange(10**6)}", "tags": [chance.choice("abcdef") * n for n in range(6)],
             "values": [chance.random() for _ in range(chance.randrange(20))]} for number in range(count)]


def texts(seed, count=3000):
    """JSON there and back, regular expressions, compression."""
    text = json.dumps(records(seed, count), indent=1)
    words = collections.Counter(re.findall(r"[a-z]+", text))
    packed = zlib.compress(text.encode(), 6)
    assert json.loads(zlib.decompress(packed)) == records(seed, count)
    return digest((len(text), len(packed), sorted(words.items()), re.sub(r"\d+", "#", text)))


def objects(seed, count=60000):
    """Random replacement in a table of objects of many sizes, with cycles for the collector."""
    chance, table = random.Random(seed), {}
    for number in range(count):
        key = chance.randrange(5000)
        old = table.pop(key, None)
        table[key] = {"before": old and old["number"], "number": number, "text": "x" * chance.randrange(400)}
        table[key]["self"] = table[key]
    return digest(sorted((key, item["number"], item["before"], len(item["text"])) for key, item in table.items()))


def numbers(digits=3000):
    decimal.getcontext().prec = digits
    return digest((3 ** 50000 % 10 ** 1000, decimal.Decimal(2).sqrt()))


def database(rows=20000):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE numbers(value INTEGER, text TEXT)")
    connection.executemany("INSERT INTO numbers VALUES(?, ?)", ((n * 7919 % rows, "t" * (n % 100)) for n in range(rows)))
    return digest(connection.execute("SELECT text, count(*), sum(value) FROM numbers GROUP BY text ORDER BY 2, 3").fetchall())


def tree(count=20000):
    root = xml.etree.ElementTree.Element("root")
    for number in range(count):
        xml.etree.ElementTree.SubElement(root, "item", number=str(number)).text = "text" * (number % 9)
    again = xml.etree.ElementTree.fromstring(xml.etree.ElementTree.tostring(root))
    return digest([item.get("number") for item in again.iter("item") if len(item.text or "") > 20])


def handed_over():
    """Threads that free what others made."""
    queue, total = collections.deque(), []

    def produce(seed):
        queue.extend(records(seed, 2000))

    def consume(expected):
        while len(total) < expected:
            try:
                total.append(len(queue.popleft()["name"]))
            except IndexError:
                pass

    threads = [threading.Thread(target=produce, args=(seed,)) for seed in range(3)]
    threads.append(threading.Thread(target=consume, args=(6000,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(total)


if __name__ == "__main__":
    print("alone", texts(0), objects(0), numbers(), database(), tree())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print("in threads", list(pool.map(texts, range(8))), list(pool.map(objects, range(4))), handed_over())
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(3) as pool:
            print(method, pool.map(texts, range(6)), pool.map(objects, range(3)))
    for _ in range(300):  # threads that come and go
        thread = threading.Thread(target=records, args=(1, 20))
        thread.start()
        thread.join()
    print("program", subprocess.run([sys.executable, "-c", "print(len(str(7 ** 3000)))"], capture_output=True, text=True,
                                    check=True).stdout.strip())
