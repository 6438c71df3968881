module hemostat.dev/bench/ingest-replayer

go 1.26
