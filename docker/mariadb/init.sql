-- Run once, when the server's data folder is made, by which time the user outpatrol exists.
-- One statement a line, so that mariadbd's --init-file can read it too. The character set is MediaWiki's own.
CREATE DATABASE IF NOT EXISTS frwiki CHARACTER SET binary;
CREATE DATABASE IF NOT EXISTS itwiki CHARACTER SET binary;
CREATE DATABASE IF NOT EXISTS viwiki CHARACTER SET binary;
GRANT ALL ON frwiki.* TO 'outpatrol'@'%';
GRANT ALL ON itwiki.* TO 'outpatrol'@'%';
GRANT ALL ON viwiki.* TO 'outpatrol'@'%';
