"""Accounts that come and go while copying goes on: by a reload, or by a lease."""
