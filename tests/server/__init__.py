"""Tests of the server, with engines that stand in for the real one."""
