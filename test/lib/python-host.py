"""A Python that has imported what MLflow's programs import, which takes seconds, and forks into one of them after the other.

Arguments: the path of the Unix socket to listen at, and the modules. `python-bridge.py` asks there for a program: it sends its own stdin,
stdout and stderr with a line of JSON, {"argv", "cwd", "env"}. It is answered a line with the program's process id, and one
with its exit code when it is over. When whoever asked is gone, the program is killed. Ends when its own stdin does.
"""

import gc
import importlib
import importlib.util
import json
import multiprocessing
import os
import runpy
import select
import signal
import socket
import sys
import warnings

MAX_LINE_BYTES = 1_000_000
FDS = (0, 1, 2)
# Python looks for cycles whenever 700 objects more are there: with all that MLflow imports a tenth of what a program does.
OBJECTS_BETWEEN_LOOKS = 100_000
# What MLflow's client tries to import for each of its calls. Where it is not, Python looks through all folders each time.
MAY_BE_ABSENT = ("dbruntime", "IPython")


def serve_here(command, *, extra_env, **_):
    """In place of the process that MLflow would start for its server: this one."""
    assert command[1:3] == ["-m", "uvicorn"], command
    os.environ.update(extra_env)
    # These look at the environment as they are imported.
    for name in [name for name in sys.modules if f"{name}.".startswith("mlflow.server.")]:
        del sys.modules[name]
    # Its workers are forked too: each would import everything again.
    importlib.import_module("uvicorn._subprocess").spawn = multiprocessing.get_context("fork")
    importlib.import_module("uvicorn").main(command[3:])


def run(argv):
    if argv[:2] == ["-m", "mlflow"]:
        importlib.import_module("mlflow.server")._exec_cmd = serve_here
        importlib.import_module("mlflow.cli").cli(argv[2:])
        return
    sys.argv = argv
    sys.path[0] = os.path.dirname(argv[0])
    runpy.run_path(argv[0], run_name="__main__")


def become(request, fds):
    os.setsid()
    for fd, own in zip(fds, FDS):
        os.dup2(fd, own)
        os.close(fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if os.environ.get("PYTHONWARNINGS") == "ignore":
        warnings.simplefilter("ignore")
    run(request["argv"])


def asked(connection):
    """What is to be run, and its three files. Whoever asks may be gone before it has said all: then there is no request."""
    line, fds, _, _ = socket.recv_fds(connection, MAX_LINE_BYTES, len(FDS))
    while not line.endswith(b"\n"):
        piece = connection.recv(MAX_LINE_BYTES)
        if not piece:
            return None, fds
        line += piece
    return json.loads(line), fds


def tell(connection, number):
    try:
        connection.sendall(b"%d\n" % number)
    except OSError:
        pass  # whoever asked is gone


def reap(running):
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        connection = running.pop(pid)
        tell(connection, os.waitstatus_to_exitcode(status))
        connection.close()


def kill(pid):
    """With its group, which it may not have yet."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)


def host(listener):
    """Returns in each program that was asked for: what it is to run. In the host: None, when it ends."""
    ended, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    running = {}
    while True:
        ready, _, _ = select.select([listener, ended, sys.stdin, *running.values()], [], [])
        if sys.stdin in ready:
            for pid in running:
                kill(pid)
            return None
        if ended in ready:
            ended.recv(MAX_LINE_BYTES)
            reap(running)
        for pid, connection in running.items():
            if connection in ready:
                kill(pid)
        if listener not in ready:
            continue
        connection, _ = listener.accept()
        request, fds = asked(connection)
        pid = os.fork() if request is not None else None
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (listener, ended, wake, connection, *running.values()):
                other.close()
            return lambda: become(request, fds)
        for fd in fds:
            os.close(fd)
        if pid is None:
            connection.close()
            continue
        running[pid] = connection
        tell(connection, pid)


def main(path, *modules):
    for name in modules:
        importlib.import_module(name)
    for name in MAY_BE_ABSENT:
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = None
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    program = host(listener)
    if program is not None:
        program()


main(*sys.argv[1:])
