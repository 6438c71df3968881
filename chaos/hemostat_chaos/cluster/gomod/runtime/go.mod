module hemostat.dev/cluster/runtime

go 1.21
