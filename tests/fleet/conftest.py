from command_line import imgopt as imgopt
