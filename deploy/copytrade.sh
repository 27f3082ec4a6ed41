#!/bin/sh
# The commands of the service's copier, as its user and with its settings: installed as /usr/local/bin/copytrade.
exec sudo -u copytrade /opt/copytrade/.venv/bin/python /opt/copytrade/run.py --settings /etc/copytrade/settings.toml "$@"
