"""What files hold, by their SHA-256."""

import hashlib
import os


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def files_in(root):
    found = {}
    for base, _, names in os.walk(root):
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = sha256(file.read())
    return found
