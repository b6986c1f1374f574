"""What aiosmtpd, Debian's SMTP server in Python, does with mails in tests. It runs as a program of its own:
aiosmtpd -n -l 127.0.0.1:PORT -c mail_handler.Handler DIR

Mails become DIR/N.json (from, to) and DIR/N.eml. The words in DIR/faults are for the next mails, one each:
refuse  550 to the recipient        later  451 to the data
drop    takes it, and cuts the connection in place of an answer
hold    takes it, and answers when DIR/release is there"""

import asyncio
import json
import os


class Handler:
    def __init__(self, directory):
        self.directory = directory

    @classmethod
    def from_cli(cls, parser, *args):
        return cls(*args)

    def path(self, name):
        return os.path.join(self.directory, name)

    def fault(self, *known):
        """The next fault when it is one of known: it is used up then."""
        try:
            with open(self.path("faults"), encoding="ascii") as file:
                words = file.read().split()
        except FileNotFoundError:
            return None
        if not words or words[0] not in known:
            return None
        with open(self.path("faults"), "w", encoding="ascii") as file:
            file.write(" ".join(words[1:]))
        return words[0]

    def keep(self, envelope):
        n = sum(name.endswith(".json") for name in os.listdir(self.directory))
        with open(self.path(f"{n}.eml"), "wb") as file:
            file.write(envelope.content)
        with open(self.path("new"), "w", encoding="ascii") as file:
            json.dump({"from": envelope.mail_from, "to": envelope.rcpt_tos}, file)
        os.rename(self.path("new"), self.path(f"{n}.json"))

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.fault("refuse"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        fault = self.fault("later", "drop", "hold")
        if fault == "later":
            return "451 try again"
        self.keep(envelope)
        if fault == "drop":
            server.transport.abort()
        while fault == "hold" and not os.path.exists(self.path("release")):
            await asyncio.sleep(0.01)
        return "250 OK"
