-- Makes Millrace's role and database, once, when the data directory is new. The image runs it as the superuser.
--
-- The role owns its database and nothing else: it makes and drops the tables of the read models, and is no superuser.
\set ON_ERROR_STOP on
\set password `cat /run/secrets/read_store_password`

CREATE ROLE millrace LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 80 PASSWORD :'password';
CREATE DATABASE millrace OWNER millrace TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE millrace FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
