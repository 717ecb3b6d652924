-- Run once, when the server's data folder is made, by which time the user outpatrol exists.
-- One statement a line, so that mariadbd's --init-file can read it too.
CREATE DATABASE IF NOT EXISTS frwiki CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS itwiki CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS viwiki CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
GRANT ALL ON frwiki.* TO 'outpatrol'@'%';
GRANT ALL ON itwiki.* TO 'outpatrol'@'%';
GRANT ALL ON viwiki.* TO 'outpatrol'@'%';
