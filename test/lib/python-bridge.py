"""Stands for a program that `python-host.py` forks: has its stdin, stdout and stderr, gets its signals, ends as it does.

Arguments: the path of the host's socket, and the program with its own arguments. Imports little: that is what it is for.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time

START_LIMIT_S = 300
PAUSE_S = 0.1


def connected(path):
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)


_, path, *argv = sys.argv
connection = connected(path)
request = json.dumps({"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ)}).encode() + b"\n"
sent = socket.send_fds(connection, [request], [0, 1, 2])
connection.sendall(request[sent:])
answers = connection.makefile("rb")
pid = int(answers.readline())


def pass_on(signum, _):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signum)


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, pass_on)
code = int(answers.readline() or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
