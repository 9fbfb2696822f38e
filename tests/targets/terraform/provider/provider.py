"""A Terraform provider whose cloud is a folder of JSON files: whoever edits or deletes one makes drift.

`fake_thing` has a name that can't change in place, a body, tags, a sensitive token, and a computed id and url. Files of
the folder steer it: `<name>.fail` makes writes of that thing fail, and where it says `quote` the error quotes its
token; `<name>.hold` makes them wait until it is gone, while `<name>.held` says that one waits.
"""

import base64
import json
import os
import time
from urllib.parse import quote

from tf.iface import Provider, Resource
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import Map, String


class Thing(Resource):
    def __init__(self, provider):
        self.folder = provider.folder

    @classmethod
    def get_name(cls):
        return "thing"

    @classmethod
    def get_schema(cls):
        return Schema(
            version=1,
            attributes=[
                Attribute("id", String(), computed=True),
                Attribute("url", String(), computed=True),
                Attribute("name", String(), required=True, requires_replace=True),
                Attribute("body", String(), required=True),
                Attribute("token", String(), optional=True, sensitive=True),
                Attribute("tags", Map(String()), optional=True),
            ],
        )

    def path(self, state, ending="json"):
        return os.path.join(self.folder, f"{state['name']}.{ending}")

    def quoted(self, text):
        """Say a value as requests and answers hold it."""
        basic = base64.b64encode(f"user:{text}".encode()).decode()
        return f"{text}, {json.dumps({'token': text})}, ?token={quote(text)}, Basic {basic}, {text.encode().hex()}"

    def is_quoting(self, state):
        with open(self.path(state, "fail")) as file:
            return file.read() == "quote"

    def save(self, ctx, state):
        if os.path.exists(self.path(state, "hold")):
            open(self.path(state, "held"), "w").close()
            while os.path.exists(self.path(state, "hold")):
                time.sleep(0.01)
        if os.path.exists(self.path(state, "fail")):
            quoted = f", and neither is {self.quoted(state['token'])}" if self.is_quoting(state) else ""
            ctx.diagnostics.add_error("The thing can't be made", f"{state['name']} is not wanted{quoted}")
            return None
        state = {**state, "id": f"id-{state['name']}", "url": f"https://{state['name']}.example.com"}
        with open(self.path(state, "new"), "w") as file:
            json.dump(state, file)
        os.replace(self.path(state, "new"), self.path(state))  # whoever looks sees a whole thing
        return state

    def create(self, ctx, planned):
        return self.save(ctx, planned)

    def update(self, ctx, current, planned):
        return self.save(ctx, planned)

    def delete(self, ctx, current):
        if os.path.exists(self.path(current)):
            os.unlink(self.path(current))

    def read(self, ctx, current):
        try:
            with open(self.path(current)) as file:
                return json.load(file)
        except FileNotFoundError:
            return None


class Fake(Provider):
    folder = None

    def get_model_prefix(self):
        return "fake_"

    def get_provider_schema(self, diagnostics):
        return Schema(version=1, attributes=[Attribute("folder", String(), required=True)])

    def full_name(self):
        return "tf.test/t/fake"

    def validate_config(self, diagnostics, config):
        pass

    def configure_provider(self, diagnostics, config):
        self.folder = config["folder"]
        if os.environ.get("FAKE_KEY", "good") != "good":
            diagnostics.add_error("Invalid credentials", "the key in FAKE_KEY is not known here")

    def get_data_sources(self):
        return []

    def get_resources(self):
        return [Thing]


run_provider(Fake())
