import controller.sandbox


def test_the_door_names_what_it_holds() -> None:
    assert controller.sandbox.__all__ == sorted(controller.sandbox.__all__)
    assert all(hasattr(controller.sandbox, name) for name in controller.sandbox.__all__)
