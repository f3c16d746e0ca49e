"""Who signs up: invented users, of whom a share is spam of three kinds, drawn from the source's own stream."""

from __future__ import annotations

from collections.abc import Callable

from ...events import Event
from ...services import Occasion

REQUESTED = "user.registration.requested"

_NAMES = (
    "Ada", "Alan", "Barbara", "Chen", "Dorothy", "Edsger", "Fatima", "Grace", "Hedy", "Ibrahim", "Jing", "Katherine",
    "Leslie", "Margaret", "Niklaus", "Olu", "Priya", "Radia", "Shafi", "Tim", "Ursula", "Vint", "Wei", "Yukihiro",
)  # fmt: skip


def sign_ups(spam_ratio: float) -> Callable[[Occasion], Event]:
    """A function that makes the registration request of each occasion; a share of `spam_ratio` breaks a rule."""

    def request(occasion: Occasion) -> Event:
        luck, choice = occasion.draw(), occasion.draw()
        name = _NAMES[int(choice * len(_NAMES))]
        user_id = f"u-{occasion.number}"
        email = f"{name.lower()}.{occasion.number}@mail.example"
        if luck < spam_ratio / 3:
            email = f"{name.lower()}{occasion.number}@trash.example"
        elif luck < spam_ratio * 2 / 3:
            name = f"{name} https://win.example"
        elif luck < spam_ratio:
            name = f"{name}{10_000 + occasion.number}"
        data = {"user_id": user_id, "name": name, "email": email}
        return Event(type=REQUESTED, subject=user_id, data=data)

    return request
