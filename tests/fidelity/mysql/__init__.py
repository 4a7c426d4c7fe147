# SPDX-License-Identifier: Apache-2.0
"""The part of MariaDB and MySQL of the differential test: a raw client, places to play in, and the families of programs."""
