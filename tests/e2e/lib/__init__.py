# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests stand on: namespaces, nodes, traffic, packets, host state."""
