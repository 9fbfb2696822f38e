import controller.git


def test_the_door_names_what_it_holds() -> None:
    assert all(hasattr(controller.git, name) for name in controller.git.__all__)
    assert len(set(controller.git.__all__)) == len(controller.git.__all__)
