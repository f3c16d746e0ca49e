"""How careful a mail service is: what a crash after every step of one mail makes of it, and the case like clockwork."""

import pytest

from edasim import failures
from edasim.scenarios.registration import MAIL_REQUESTED, Care, clockwork, welcomes_s

ONE_MAIL = failures.exactly_once(to="mail", type=MAIL_REQUESTED, effect="mail_arrived", by="user_id", within_s=0.5)
ONE_NODE = clockwork(mail_nodes=1, opens_ratio=0.0)
CARES = {care.value: care.of(ONE_NODE) for care in Care}


def test_what_each_care_makes_of_a_crash_after_every_step_of_a_mail():
    found = failures.crash_points(CARES, nodes=["mail"], promises=[ONE_MAIL])
    table = {
        row: [cell and cell.outcome.value for cell in (found.cell(row, care) for care in CARES)] for row in found.rows
    }
    lost, late, twice, fine = "lost", "late", "duplicated", "survived"
    assert table == {
        "mail/0 after it has received mail.welcome.requested": [lost, late, late],
        "mail/0 after it has written mail cached": [lost, late, late],
        "mail/0 after it has written mail sent": [fine, twice, fine],
        "mail/0 after it has written mail arrived": [fine, twice, fine],
        "mail/0 before it acknowledges mail.welcome.requested": [None, twice, fine],
        "mail/0 after it acknowledges mail.welcome.requested": [None, fine, fine],
    }


def test_being_down_longer_delays_and_loses_nothing_more():
    counts = [
        failures.crash_points(CARES, nodes=["mail"], down_s=down_s).counts("acknowledge last") for down_s in (0.5, 3.0)
    ]
    assert counts == [{"duplicated": 3, "survived": 3}] * 2


def test_clockwork_can_be_counted_by_hand():
    assert welcomes_s(clockwork().run()) == pytest.approx([0.02 + 0.005 + 0.02 + 0.1])
    assert clockwork(connecting_s=0.0).connecting_s == 0.0
