"""Campaigns: what is planned, the runs that are made, and what continues an unfinished one."""
