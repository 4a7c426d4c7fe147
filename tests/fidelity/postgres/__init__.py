# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's part of the differential test: a raw client, places to play in, and the families of programs."""
