"""What is gone is retired once, and its records go ninety days later: an object's, a placement's, a group's."""

from __future__ import annotations

from dataclasses import replace

from controller.model import ApplicationName, EnvironmentName, PlacementRef, Transition
from controller.records import Drawing, Files
from tests.records.facts import DEV, HANGZHOU, SHANGHAI, SHOP, Branch, at, moved, obj, report

DAY = 24 * 60
LONG = 91 * DAY


def retired(placement: PlacementRef, minutes: int) -> Transition:
    return moved(report(placement, [], retired=True, revision=None, applied=None), minutes)


def draw(branch: Branch, minutes: int) -> None:
    branch.take(Drawing(frozenset(), at(minutes)).derive(branch))


def below(branch: Files, prefix: str) -> list[str]:
    assert isinstance(branch, Branch)
    return [one for one in branch.files if one.startswith(prefix)]


def test_a_placement_that_is_gone_goes_with_a_later_transition_of_its_group() -> None:
    branch = Branch()
    branch.record(moved(report(HANGZHOU)), moved(report(SHANGHAI)))
    branch.record(retired(SHANGHAI, 1))
    branch.record(moved(report(HANGZHOU, subject="Sell hats"), 89 * DAY))
    assert below(branch, "cmdb/prod/shop/shanghai/")
    branch.record(moved(report(HANGZHOU, subject="Sell shoes"), LONG))
    assert not below(branch, "cmdb/prod/shop/shanghai/")
    assert b"shanghai" not in branch.files["status/prod/shop.yaml"]
    assert b"shanghai" not in branch.files["cmdb/prod/shop/_application.yaml"]
    assert below(branch, "cmdb/prod/shop/hangzhou/shop/")


def test_a_group_that_is_gone_goes_with_a_later_drawing_and_takes_what_added_it_up_along() -> None:
    branch = Branch()
    test = replace(HANGZHOU, environment=EnvironmentName("test"))
    branch.record(moved(report(DEV)), moved(report(test)))
    draw(branch, 0)
    branch.record(retired(test, 1))
    draw(branch, 89 * DAY)
    assert below(branch, "status/test/")
    assert below(branch, "cmdb/test/_environment.yaml")
    draw(branch, LONG)
    assert not [one for one in branch.files if "test" in one]
    assert below(branch, "status/dev/")
    assert below(branch, "badges/_applications/shop.svg")
    branch.record(retired(DEV, LONG))
    draw(branch, LONG + LONG)
    assert sorted(branch.files) == ["README.md", "badges/_fleet.json", "badges/_fleet.svg"]


def test_what_was_removed_is_not_told_again_by_a_restarted_controller() -> None:
    branch = Branch()
    branch.record(moved(report(HANGZHOU)))
    branch.record(retired(HANGZHOU, 1))
    assert branch.record(retired(HANGZHOU, LONG)) != {}  # its objects' records go
    draw(branch, LONG)
    assert branch.record(retired(HANGZHOU, LONG + 1)) == {}


def test_what_comes_back_after_long_is_told_as_new() -> None:
    branch = Branch()
    branch.record(moved(report(HANGZHOU)))
    branch.record(retired(HANGZHOU, 1))
    draw(branch, LONG)
    branch.record(moved(report(HANGZHOU, [obj(one) for one in SHOP]), LONG + 1))
    assert b"lifecycle: active" in branch.files["cmdb/prod/shop/_application.yaml"]
    assert b"2027-02-20" in branch.files["status/prod/shop.yaml"]


def test_what_no_record_explains_goes_with_the_next_drawing_and_files_of_others_stay() -> None:
    branch = Branch()
    branch.record(moved(report(HANGZHOU)), moved(report(DEV)))
    draw(branch, 0)
    drawn = dict(branch.files)
    earlier = ("prod/shop-health.svg", "prod/shop/health.json", "prod/_speed/shop.svg", "prod/_health/gone.svg")
    of_nobody = [
        *(f"badges/{one}" for one in (*earlier, "gone/shop.svg", "gone.svg", "fleet.svg", "_applications/gone.svg"))
    ]
    of_nobody += ["pages/prod/gone.md", "pages/gone/shop.md", "pages/index.html", "cmdb/gone/_environment.yaml"]
    of_nobody += ["cmdb/prod/gone/hangzhou/_target.yaml", "cmdb/prod/notes.txt"]
    of_others = ["LICENSE", "docs/badges/a.svg", "reviews/shop/main.yaml"]
    for path in (*of_nobody, *of_others):
        branch.files[path] = b"somebody's"
    damaged = {
        "cmdb/dev/shop/_application.yaml": b"{",
        "status/prod/left.yaml": b"{",
        "pages/prod/left.md": b"what git may not say",
    }
    branch.files.update(damaged)
    draw(branch, 1)
    left = {path: data for path, data in branch.files.items() if path not in drawn}
    assert sorted(left) == sorted([*of_others, "status/prod/left.yaml", "pages/prod/left.md"])
    assert branch.files.keys() >= drawn.keys()


def test_what_is_drawn_is_of_no_stranger() -> None:
    branch = Branch()
    names = ("a", "A", "a.svg", "con", "x" * 253, "a/b", "_health", "ü")
    for name in names:
        branch.record(moved(report(replace(HANGZHOU, application=ApplicationName(name)))))
    draw(branch, 0)
    before = dict(branch.files)
    draw(branch, 1)
    assert branch.files == before
