"""The usual way to wait for jobs: a thread for each, which asks every five seconds.

Reads {"url", "key", "tasks": [task ids]} from its input, writes {"seen": {task id: epoch seconds}, "kb": memory of
one}.
"""

import json
import sys
import threading
import time

import requests

EVERY_S = 5


def megabytes():
    """Return the resident memory of this process in MB."""
    with open("/proc/self/status") as status:
        return int(status.read().split("VmRSS:")[1].split()[0]) / 1024


def follow(order, task, seen):
    """Ask until the task is over."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {order['key']}"
        while True:
            time.sleep(EVERY_S)
            answer = session.get(f"{order['url']}/api/v1/jobs/recordInfo", params={"taskId": task}, timeout=30).json()
            if answer["data"]["state"] in ("success", "fail"):
                seen[task] = time.time()
                return


def main():
    """Follow every task to its end."""
    order, seen = json.load(sys.stdin), {}
    before = megabytes()
    threads = [threading.Thread(target=follow, args=(order, task, seen)) for task in order["tasks"]]
    for thread in threads:
        thread.start()
        time.sleep(EVERY_S / len(threads))
    time.sleep(EVERY_S)
    each = (megabytes() - before) * 1024 / len(threads)
    for thread in threads:
        thread.join()
    print(json.dumps({"seen": seen, "kb": each}))


main()
