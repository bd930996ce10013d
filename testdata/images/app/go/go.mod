module touchmark.example/healthcheck

go 1.19
