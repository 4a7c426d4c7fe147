# SPDX-License-Identifier: Apache-2.0
"""Families of steps: each function draws the steps of one piece."""
from mysql.families import answers, flow, locks, prepared, settings, tables, transactions  # noqa: F401
