# A certificate and its key in files on the gateway's machine.
Kind        = "file-system-certificate"
Name        = "www-files"
Certificate = "/etc/ssl/www.pem"
PrivateKey  = "/etc/ssl/www-key.pem"
