"""What the tests of the HTTP API share: cohortd with a small suite, raw requests, event streams, and a check of replies
against the served OpenAPI document."""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import struct
import tempfile
import time

import farm


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def host_key(seed=1):
    """A well-formed ssh-ed25519 public key that nobody has."""
    blob = struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32) + bytes([seed]) * 32
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def board(name, **fields):
    """A board for POST /boards; nothing listens on its port."""
    document = {"name": name, "kind": "host", "cache": "none", "arch": "x86-64",
                "ssh": {"host": "127.0.0.1", "port": 1, "key": "client", "host_key": host_key()},
                "boot": {"method": "none"}}
    document.update(fields)
    return document


def make_suite(directory):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "small.json"), "w", encoding="utf-8") as file:
        json.dump({"name": "small", "version": "1", "description": "one test", "tests": [
            {"name": "true", "description": "does nothing", "kind": "contract", "argv": ["true"], "time_limit_s": 5}]}, file)
    return directory


class Server(farm.Farm):
    """cohortd alone: a keys directory, one small suite, no board that answers."""

    def __init__(self, *options):
        directory = tempfile.mkdtemp(prefix="cohort-http-")
        super().__init__(directory, suites=make_suite(os.path.join(directory, "suites")))
        keys = os.path.join(directory, "keys")
        os.makedirs(keys)
        with open(os.path.join(keys, "client"), "w", encoding="ascii") as file:
            file.write("a key, which nobody reads here\n")
        self.options = ["--keys", keys, *options]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.api.port), 30)

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.api.port, timeout=30)

    def writes(self, **more):
        """Headers of a JSON request that may write."""
        return {"Authorization": f"Bearer {self.api.token}", "Content-Type": "application/json", **more}

    def send(self, method, path, body=None, headers=None):
        """(status, headers, body) of a request with exactly these headers."""
        connection = self.connection()
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def raw(self, data):
        """Bytes as they are, then everything that comes until the server closes."""
        with self.connect() as peer:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: peer.recv(65536), b""))


class Stream:
    """A client of Server-Sent Events."""

    def __init__(self, server, path="/api/v1/events", last=None):
        self.connection = server.connection()
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection.request("GET", path, headers=headers)
        self.reply = self.connection.getresponse()
        self.status = self.reply.status

    def lines(self):
        while True:
            line = self.reply.readline()
            if not line:
                return
            yield line.decode().rstrip("\n")

    def events(self):
        """(id, event, data) one by one."""
        fields = {}
        until = time.monotonic() + farm.DEADLINE_S
        for line in self.lines():
            if time.monotonic() > until:
                raise AssertionError(f"no such event within {farm.DEADLINE_S} s")
            if line == "" and fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value

    def take(self, count, wanted=lambda data: True):
        """The next events that are wanted."""
        stream = (event for event in self.events() if wanted(event[2]))
        return [next(stream) for _ in range(count)]

    def close(self):
        self.connection.close()


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


class Description:
    """The part of JSON Schema that openapi.json uses."""

    def __init__(self, document):
        self.document = document

    def resolve(self, value):
        while "$ref" in value:
            found = self.document
            for name in value["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            value = found
        return value

    def operation(self, method, path):
        """The operation, and its path's pattern."""
        for pattern, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) and method.lower() in methods:
                return methods[method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def has_type(self, value, name):
        if name == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        if name == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return isinstance(value, TYPES[name])

    def errors(self, value, schema, at=""):
        schema = self.resolve(schema)
        if "anyOf" in schema:
            if not any(not self.errors(value, one, at) for one in schema["anyOf"]):
                return [f"{at}: fits none of {len(schema['anyOf'])}: {value!r}"]
            return []
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(self.has_type(value, name) for name in types):
            return [f"{at}: {value!r} is not {' or '.join(types)}"]
        found = []
        if "const" in schema and value != schema["const"]:
            found.append(f"{at}: {value!r} is not {schema['const']!r}")
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{at}: {value!r} is none of {schema['enum']}")
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                found.append(f"{at}: {value!r} does not match {schema['pattern']}")
            if schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value):
                found.append(f"{at}: {value!r} is no time of ours")
        if self.has_type(value, "integer") and value < schema.get("minimum", value):
            found.append(f"{at}: {value} is below {schema['minimum']}")
        if isinstance(value, list):
            for index, item in enumerate(value):
                found += self.errors(item, schema.get("items", {}), f"{at}/{index}")
        if isinstance(value, dict):
            found += self.object_errors(value, schema, at)
        return found

    def object_errors(self, value, schema, at):
        found = [f"{at}/{name}: is missing" for name in schema.get("required", []) if name not in value]
        properties = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in properties:
                found += self.errors(item, properties[name], f"{at}/{name}")
            elif more is False:
                found.append(f"{at}/{name}: is not described")
            elif isinstance(more, dict):
                found += self.errors(item, more, f"{at}/{name}")
            if "propertyNames" in schema:
                found += self.errors(name, schema["propertyNames"], f"{at}/{name}")
        return found

    def check(self, method, path, status, content_type, document):
        """Complaints about a reply."""
        responses = self.operation(method, path)["responses"]
        response = self.resolve(responses.get(str(status), responses["default"]))
        content = response.get("content", {}).get(content_type.partition(";")[0])
        if content is None:
            return [f"{method} {path}: {status} with {content_type} is not described"]
        return [f"{method} {path} {status}{error}" for error in self.errors(document, content["schema"])]
