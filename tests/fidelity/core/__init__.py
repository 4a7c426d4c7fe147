# SPDX-License-Identifier: Apache-2.0
"""The differential test without a database: programs, playing them twice, comparing, shrinking, telling."""
