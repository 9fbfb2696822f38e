"""A cloud that speaks as AWS does (moto), and a person with boto3: JSON lines in, JSON lines out.

Prints its URL first. `["reset"]` loses everything; `[service, operation, arguments]` calls boto3.
"""

import json
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"
print(json.dumps(url), flush=True)
for line in sys.stdin:
    match json.loads(line):
        case ["reset"]:
            urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
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
