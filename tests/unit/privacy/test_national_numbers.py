"""Check digits of national numbers, against numbers whose digits are published or worked out by hand."""

from __future__ import annotations

import pytest

from patient_feedback.privacy.national_numbers import is_nhs_number, is_swedish_personal_number


# 943 476 5919 and 450 557 7104: worked examples of the NHS Data Dictionary and of its validation guide.
@pytest.mark.parametrize("number", ["943 476 5919", "9434765919", "943-476-5919", "450 557 7104"])
def test_nhs_number_with_a_true_check_digit_is_accepted(number: str) -> None:
    assert is_nhs_number(number)


@pytest.mark.parametrize(
    "number", ["943 476 5918", "943 467 5919", "1111111111", "0000000000", "94347659190", ""]
)
def test_nhs_number_with_a_false_check_digit_or_length_is_refused(number: str) -> None:
    assert not is_nhs_number(number)


def test_every_single_wrong_digit_of_an_nhs_number_is_noticed() -> None:
    right = "9434765919"
    wrong = [
        right[:place] + digit + right[place + 1 :]
        for place in range(10)
        for digit in "0123456789"
        if digit != right[place]
    ]
    assert not any(is_nhs_number(number) for number in wrong)


# 811228-9874: the example of Skatteverket's SKV 704; 701063-2391: the coordination number of SKV 707.
@pytest.mark.parametrize(
    "number", ["811228-9874", "19811228-9874", "8112289874", "811228+9874", "701063-2391"]
)
def test_swedish_number_with_a_true_check_digit_is_accepted(number: str) -> None:
    assert is_swedish_personal_number(number)


@pytest.mark.parametrize("number", ["811228-9875", "19811228-9870", "81122-9874", ""])
def test_swedish_number_with_a_false_check_digit_or_length_is_refused(number: str) -> None:
    assert not is_swedish_personal_number(number)
