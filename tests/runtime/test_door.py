import controller.runtime


def test_the_door_names_what_it_holds() -> None:
    assert controller.runtime.__all__ == sorted(controller.runtime.__all__)
    assert all(hasattr(controller.runtime, name) for name in controller.runtime.__all__)
