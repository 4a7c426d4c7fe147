# SPDX-License-Identifier: Apache-2.0
"""A small stand-in for the daemon's control socket: answers that a real daemon does not give on demand."""
import contextlib
import json
import os
import socket
import threading

from servers import temp_dir


@contextlib.contextmanager
def server(answer, mode=0o660):
    """A control socket that answers every request with the bytes that answer(command) gives; None: it never answers."""
    path = os.path.join(temp_dir("lh-ctl-"), "control.sock")
    seen, stopping = [], threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, mode)
        listener.listen()
        listener.settimeout(0.1)

        def serve(client):
            with client:
                text = b""
                while b"\r\n\r\n" not in text:
                    text += client.recv(65536)
                head, _, body = text.partition(b"\r\n\r\n")
                length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split()[1])
                while len(body) < length:
                    body += client.recv(65536)
                seen.append(head.split(b"\r\n")[0].decode() + " " + body.decode())
                reply = answer(body.decode())
                if reply is None:
                    stopping.wait(20)
                else:
                    client.sendall(reply)

        def accept():
            while not stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield path, seen
        finally:
            stopping.set()
            thread.join()


def http(body, status="200 OK"):
    data = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


def table(columns, rows):
    return http({"columns": [{"name": n, "type": t} for n, t in columns.items()], "rows": rows, "tag": "SHOW"})


def refusal(status, **error):
    return http({"error": {"sqlstate": "", "message": "", "hint": "", "detail": "", **error}}, status)
