from dataclasses import replace

from controller.engine.packed_render import PackedRender
from controller.model import ApplicationName, Behind, Digest, GroupRef, Position, Problem, Release, Taken, TargetName
from controller.render import Read, Rendered
from controller.render.kustomize.resources import Idle
from tests.engine.make import ORIGIN, desired, key, manifest, placement

PROBLEM = Problem(Position("deploy/web.yaml", 1, 2), "it is never used", "spec", "Take it away.")
RENDERED = Rendered(
    desired=replace(
        desired(replace(manifest(), releases=(Release("spec.replicas", ("hpa",), "an autoscaler has it"),))),
        on_failure=(manifest("alarm"),),
        before_delete=(manifest("goodbye"),),
        after_delete=(manifest("gone"),),
        behind=Behind((TargetName("cloud"),), (GroupRef(placement().environment, ApplicationName("db")),)),
        takes=(Taken(TargetName("cloud"), "url", is_known=False),),
        spared=frozenset({key("other")}),
    ),
    reads=tuple(Read(ORIGIN.repository, f"deploy/{number}.yaml", "") for number in range(3)),
    warnings=(PROBLEM,),
    idle=frozenset({PROBLEM}),
    surroundings=Digest("sha256:s"),
    asks_cluster=True,
    follows=("web 1.0.0 sha256:abc",),
)


def test_a_packed_render_is_the_render() -> None:
    packed = PackedRender.of(RENDERED)
    assert packed.rendered() == RENDERED
    assert packed.rendered().desired.takes == RENDERED.desired.takes  # which comparing leaves out
    assert packed.reads() == RENDERED.reads
    assert packed.surroundings == RENDERED.surroundings


def test_a_packed_render_keeps_names_that_are_no_text() -> None:
    odd = replace(RENDERED, reads=(Read(ORIGIN.repository, "deploy/\udcff.yaml", ""),))
    assert PackedRender.of(odd).rendered() == odd


def test_a_packed_render_keeps_texts_that_say_more_of_themselves() -> None:
    marked = replace(RENDERED, warnings=(replace(PROBLEM, what=Idle("it changes nothing")),))
    assert PackedRender.of(marked).rendered() == marked
