from __future__ import annotations

from pathlib import Path

import pytest

from controller.git import parse_remote
from controller.model import Stalled


@pytest.mark.parametrize(
    ("url", "scheme", "origin"),
    [
        ("https://git.example.com/shop/shop.git", "https", "https://git.example.com"),
        ("https://git.example.com:8443/shop", "https", "https://git.example.com:8443"),
        ("ssh://git@git.example.com:2222/shop.git", "ssh", "ssh://git.example.com:2222"),
        ("http://127.0.0.1:3000/shop.git", "http", "http://127.0.0.1:3000"),
        ("http://localhost/shop.git", "http", "http://localhost"),
        ("http://[::1]:3000/shop.git", "http", "http://[::1]:3000"),
        ("file:///srv/git/shop.git", "file", ""),
        ("/srv/git/shop.git", "file", ""),
    ],
)
def test_these_are_ways_to_a_repository(url: str, scheme: str, origin: str) -> None:
    remote = parse_remote(url)
    assert (remote.url, remote.scheme, remote.origin) == (url, scheme, origin)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://git.example.com/shop.git", "Use https://"),
        ("git://git.example.com/shop.git", "the scheme"),
        ("ext::sh -c touch% /tmp/x", "runs a program"),
        ("ext::sh", "Use https://"),
        ("--upload-pack=touch", "Use https://"),
        ("git@git.example.com:shop/shop.git", 'Write "ssh://git@git.example.com/shop/shop.git"'),
        ("../shop", "an absolute path"),
        ("https://robot:canary@git.example.com/shop.git", "credential store"),
        ("https://robot@git.example.com/shop.git", "credential store"),
        ("ssh://-oProxyCommand=touch/shop.git", "names no host"),
        ("ssh://-oProxyCommand=touch@host/shop.git", "names no host"),
        ("https://git.example.com", "no repository on it"),
        ("https://git.example.com:port/shop", "malformed"),
        ("file://host/shop", "absolute path"),
        ("https://git.example.com/a\nb", "control character"),
        ("", "Use https://"),
    ],
)
def test_everything_else_is_refused_with_what_to_write(url: str, advice: str) -> None:
    with pytest.raises(Stalled) as caught:
        parse_remote(url)
    assert advice in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///srv/a%20b", "/srv/a"])
def test_a_local_repository_has_a_folder(url: str) -> None:
    assert parse_remote(url).folder in {Path("/srv/a b"), Path("/srv/a")}
