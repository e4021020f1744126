# SPDX-License-Identifier: Apache-2.0
"""A goal and what was measured against it: a row of the table that report.py makes."""
from benchlib import short


class Row:
    """One goal: is_met is None where only a number is recorded."""

    def __init__(self, name, goal, measured, is_met=None):
        self.name = name
        self.goal = goal
        self.measured = measured
        self.is_met = is_met

    def cells(self):
        verdict = {True: "met", False: "**not met**", None: ""}[self.is_met]
        return f"| {self.name} | {self.goal} | {self.measured} | {verdict} |"


def at_most(name, unit, value, limit, more=""):
    return Row(name, f"<= {limit:g}{unit}", f"{short(value)}{unit}{more}", value <= limit)


def ratio_row(name, value, limit, is_least, more):
    sign = ">=" if is_least else "<="
    is_met = value >= limit if is_least else value <= limit
    return Row(name, f"{sign} {limit:.2f} x", f"{value:.3f} x {more}", is_met)


def recorded(what, measured):
    return Row(what, "recorded", measured)
