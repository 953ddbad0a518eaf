# nothing

   
