"""Runs a module, as `python -m` does, and ends its process group once the given parent is gone, however that ended."""

import os
import runpy
import signal
import sys
import threading
import time


def watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


_, parent, _, *program = sys.argv
threading.Thread(target=watch, args=(int(parent),), daemon=True).start()
sys.argv = program
runpy.run_module(program[0], run_name="__main__", alter_sys=True)
