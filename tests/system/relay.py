"""A TCP relay on loopback that cuts connections: the network fault of the tests."""

import socket
import threading


class Relay:
    """Stands in front of target, a port. Cuts all connections at once: on cut(), or when so many bytes have passed."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.ends, self.passed, self.cuts = [], 0, []
        self.dead = []
        self.refusing = False
        threading.Thread(target=self.accept, daemon=True).start()

    def cut_at(self, bytes_later):
        """Cut when that many bytes more have passed; each number once, in order."""
        with self.lock:
            self.cuts = [self.passed + later for later in sorted(bytes_later)]

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.ends += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    def copy(self, source, sink):
        try:
            while data := source.recv(16384):
                with self.lock:
                    room = self.cuts[0] - self.passed if self.cuts else len(data)
                    self.passed += min(room, len(data))
                sink.sendall(data[:room])
                if room < len(data):
                    self.cut()
                    return
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            if self.cuts:
                self.cuts.pop(0)
            ends, self.ends = self.ends, []
            # The threads of the cut before this one have ended: their sockets may go.
            for end in self.dead:
                end.close()
            self.dead = ends
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.close()
        self.cuts = []
        self.cut()
        for end in self.dead:
            end.close()
