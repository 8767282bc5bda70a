#!/bin/sh
# Runs once, on an empty volume: a database for each owner, none shared.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -v password="$CONDUCTOR_DB_PASSWORD" <<'SQL'
CREATE ROLE conductor LOGIN PASSWORD :'password';
CREATE DATABASE conductor OWNER conductor;
CREATE DATABASE reflector;
CREATE DATABASE shadow;
SQL
