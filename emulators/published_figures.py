"""What publishers of figures put on their pages: a monthly FFT workbook, an HCAHPS table. The hospitals are made up."""

from __future__ import annotations

import csv
import io

TRUSTS = {
    "RX1": ("North Trust", (211, 48, 11, 9, 6, 4)),
    "RX2": ("South Trust", (97, 33, 9, 12, 10, 2)),
    "RX3": ("Small Trust", None),
}
"""Code to name and the counts of very good to don't know; None where they are withheld."""
HEADING = (
    "Trust Code", "Trust Name", "Total Responses", "Total Eligible", "Percentage Positive", "Percentage Negative",
    "Very Good", "Good", "Neither Good nor Poor", "Poor", "Very Poor", "Don't Know",
)  # fmt: skip
HOSPITALS = {
    "010901": ("NORTH MEMORIAL", (78, 17, 5), "412"),
    "010902": ("SOUTH MEMORIAL", None, "FEWER THAN 50"),
}
BOXES = ("A_P", "U_P", "SN_P")


def fft_workbook() -> bytes:
    """Return a month of the Friends and Family Test as an Excel workbook."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Trusts"
    sheet.append(["Inpatient Friends and Family Test (FFT) Data"])
    sheet.append(["Month:", "January 2026"])
    sheet.append(HEADING)
    for code, (name, counts) in TRUSTS.items():
        if counts is None:
            sheet.append([code, name, 3, 60, *["*"] * 8])
            continue
        total = sum(counts)
        positive, negative = (counts[0] + counts[1]) / total, (counts[3] + counts[4]) / total
        sheet.append([code, name, total, 4 * total, positive, negative, *counts])
        for cell in sheet[sheet.max_row][4:6]:
            cell.number_format = "0%"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def hcahps_table() -> bytes:
    """Return the nurse composite of two hospitals, of which one has too few surveys and both lost a zero."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        (
            *("Facility ID", "Facility Name", "State", "HCAHPS Measure ID", "HCAHPS Answer Percent"),
            *("Number of Completed Surveys", "Survey Response Rate Percent", "Start Date", "End Date"),
        )
    )
    for number, (name, percents, completed) in HOSPITALS.items():
        for box, percent in zip(BOXES, percents or ("Not Available",) * 3, strict=True):
            measured = (f"H_COMP_1_{box}", percent, completed, "21", "01/01/2025", "12/31/2025")
            writer.writerow((number.lstrip("0"), name, "AL", *measured))
    return text.getvalue().encode()
