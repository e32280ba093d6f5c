"""Campaigns: plan, run, and continue an unfinished one."""
