#!/usr/bin/python3
"""The node's systemctl: hands its words to init.py, prints the answer, exits with its status."""
import socket
import sys

words = [word for word in sys.argv[1:] if not word.startswith("-")]
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
    connection.settimeout(60)
    connection.connect("/run/bed.sock")
    connection.sendall((" ".join(words) or "status").encode() + b"\n")
    answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()

status, _, text = answer.partition("\n")
sys.stdout.write(text)
sys.exit(int(status or 1))
