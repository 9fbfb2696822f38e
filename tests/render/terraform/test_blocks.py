"""Blocks are told from what is inside of texts, heredocs and comments."""

from __future__ import annotations

import pytest

from controller.model import Invalid
from controller.render.terraform.blocks import blocks_of

TEXT = b"""# resource "no" "comment" {
// resource "no" "comment" {
/* resource "no" "comment" {
*/
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
    fake = { source = "tf.test/t/fake", version = "0.1.0" }
  }
  backend "s3" {}
}
module "net" {
  source = "./net"
  for_each = { for k, v in var.a : k => v if v != "}" }
  map = {
    "b" = "x ${join(",", ["}", "{"])} y $${z}"
    (var.k) = 1
  }
}
resource "aws_instance" "a" {
  user_data = <<-EOT
    resource "no" "heredoc" {
    ${var.x}
    EOT
  provisioner "local-exec" {
    command = "echo \\"}\\""
  }
  dynamic "disk" {
    for_each = [1,
      2]
    content { size = disk.value }
  }
}
locals { x = 1 }
"""


def test_blocks_have_types_labels_and_lines() -> None:
    found = [(block.type, block.labels, block.line) for block in blocks_of(TEXT, "main.tf")]
    assert found == [
        ("terraform", (), 5),
        ("module", ("net",), 15),
        ("resource", ("aws_instance", "a"), 23),
        ("locals", (), 37),
    ]


def test_texts_inside_of_blocks_are_read_and_expressions_are_not() -> None:
    terraform, module, resource, _ = blocks_of(TEXT, "main.tf")
    providers, backend = terraform.blocks
    assert providers.objects["aws"]["source"].text == "hashicorp/aws"
    assert providers.objects["fake"]["source"].text == "tf.test/t/fake"
    assert backend.labels == ("s3",)
    assert module.attributes["source"].text == "./net"
    assert module.attributes["map"].text is None
    assert [(one.type, one.labels, one.line) for one in resource.blocks] == [
        ("provisioner", ("local-exec",), 28),
        ("dynamic", ("disk",), 31),
    ]


def test_the_json_form_has_the_same_blocks() -> None:
    data = b"""{
      "terraform": {"backend": {"s3": {}}, "required_providers": {"fake": {"source": "tf.test/t/fake"}}},
      "resource": {"fake_thing": {"a": {"name": "a", "provisioner": {"local-exec": {"command": "x"}}}}},
      "module": {"net": {"source": "./net"}}
    }"""
    terraform, resource, module = blocks_of(data, "main.tf.json")
    assert {one.type for one in terraform.blocks} == {"backend", "required_providers"}
    assert resource.labels == ("fake_thing", "a")
    assert [(one.type, one.labels) for one in resource.blocks] == [("provisioner", ("local-exec",))]
    assert module.attributes["source"].text == "./net"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b'resource "a" "b" {\n', 1),
        (b"}\n", 1),
        (b'x = "open\n', 1),
        (b"locals {\n  a = <<EOT\n  text\n}\n", 2),
        (b"\n\n= 1\n", 3),
        (b"resource\n", 1),
    ],
    ids=["a_block_without_end", "an_end_without_block", "an_open_text", "an_open_heredoc", "nothing", "a_bare_name"],
)
def test_what_is_no_terraform_says_where(text: bytes, line: int) -> None:
    with pytest.raises(Invalid) as raised:
        blocks_of(text, "main.tf")
    assert str(raised.value).startswith(f"main.tf:{line}: ")
