"""A cable between the browser and the gateway, to be cut: what a gateway that is gone looks like, without ending one that
other tests use."""

import contextlib
import select
import socket
import threading
import urllib.parse


class Cable:
    def __init__(self, base):
        address = urllib.parse.urlsplit(base)
        self.target = (address.hostname, address.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.is_cut = False
        self.lock = threading.Lock()
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends every connection; the next ones end as soon as they are made."""
        with self.lock:
            self.is_cut = True
            for end in self.open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self.lock:
            self.is_cut = False

    def close(self):
        self.cut()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        with near, socket.create_connection(self.target) as far:
            with self.lock:
                if self.is_cut:
                    return
                self.open |= {near, far}
            other = {near: far, far: near}
            try:
                while True:
                    for end in select.select([near, far], [], [])[0]:
                        data = end.recv(65536)
                        if not data:
                            return
                        other[end].sendall(data)
            except OSError:
                return
            finally:
                with self.lock:
                    self.open -= {near, far}
