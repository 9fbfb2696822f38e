"""A cloud that speaks as AWS does (moto), and a person with boto3: JSON lines in, JSON lines out.

Prints its URL first. `["reset"]` loses everything; `["lose", action]` loses the next answer to an action, such as
CreateTable, on its way; `[service, operation, arguments]` calls boto3.

A client that gets no answer asks again, and on a busy machine answers do get lost. AWS knows a request that is
repeated; moto would take it for a second one, and say that what the first one made exists already. So it is answered
here, by the number that every SDK gives all attempts of one request.
"""

import json
import socket
import sys
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

INVOCATION = "HTTP_AMZ_SDK_INVOCATION_ID"
ACTION = "HTTP_X_AMZ_TARGET"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = tuple[str, list[tuple[str, str]], bytes]


class Repeating:
    """A WSGI application that answers a repeated request as it answered the first."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.answers: dict[str, Answer] = {}
        self.losing: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = environ.get(INVOCATION)
        if name is None:
            return self.application(environ, start_response)
        with self.locks[name]:
            status, headers, body = self.answers.get(name) or self.answer(environ, name)
        action = environ.get(ACTION, "").rpartition(".")[2]
        if action in self.losing:
            self.losing.remove(action)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError(f"the answer to {action} is lost")
        start_response(status, headers)
        return [body]

    def answer(self, environ: dict[str, Any], name: str) -> Answer:
        said: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(self.application(environ, lambda status, headers, *_error: said.append((status, headers))))
        ((status, headers),) = said
        if status.startswith("2"):  # what failed changed nothing, and may go well another time
            self.answers[name] = (status, headers, body)
        return status, headers, body


application = Repeating(DomainDispatcherApplication(create_backend_app))
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
print(json.dumps(url), flush=True)
for line in sys.stdin:
    match json.loads(line):
        case ["reset"]:
            urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
            answer = None
        case ["lose", action]:
            application.losing.add(action)
            answer = None
        case [service, operation, arguments]:
            client = boto3.client(
                service,
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            answer = getattr(client, operation)(**arguments)
    print(json.dumps(answer, default=str), flush=True)
